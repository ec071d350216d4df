"""Trial mode: a file read as a feed would be, nothing stored and nobody told; the report says what is missing."""
