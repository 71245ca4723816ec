"""The command line; every command lives in a module of its own and is loaded when it is called."""
