"""What the operating system may do to a program: whole files, heard signals."""
