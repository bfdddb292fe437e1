"""The keeper of a box: answers the page over a local socket, changes what it may, destroys on the day."""
