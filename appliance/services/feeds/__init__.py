"""Recording what is told: who may speak, listening, and files of feeds."""
