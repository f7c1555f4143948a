"""The API as one: its addresses, its document and the page that shows it."""
