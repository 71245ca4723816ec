"""MCP servers as a source of tools; the package ``mcp`` is loaded when the first one is used."""
