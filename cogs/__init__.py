"""Discord's side: listeners, commands and buttons. One file a concern, all of them thin."""
