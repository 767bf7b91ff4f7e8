"""The commands of the console, a module each: flags, then one call."""
