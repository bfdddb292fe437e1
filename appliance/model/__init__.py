"""The nouns: addresses, instants, rows, reasons, errors. Pure: no file, socket, clock or cryptography."""
