"""Sans-I/O protocol layers: Event -> Commands. No sockets, clocks or files."""
