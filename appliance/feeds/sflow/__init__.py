"""sFlow version 5: sampled packets to flows that count in statistics and never as evidence."""
