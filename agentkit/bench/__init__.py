"""Measures models on public function-calling suites: `agentkit bench`."""
