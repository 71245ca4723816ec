"""A task becomes steps: the plan graph and the planners that write it."""
