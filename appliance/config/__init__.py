"""TOML to frozen sections; errors name the key and the line."""
