"""What the functions, the web application and the one-machine runner share. Imports none of them."""
