"""How fast the parts of the project are. Each study is a module with its command in the first lines."""
