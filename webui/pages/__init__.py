"""The pages, a file each: what a route shows and changes. A page asks the keeper and keeps nothing itself."""
