"""The viewer: a run in the terminal, to look around in while it goes on or after."""
