"""Results in formats that others read, and contributed results checked before they are believed."""
