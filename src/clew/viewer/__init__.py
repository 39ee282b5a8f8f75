"""The viewer behind `clew view`: the JSON that its page requests, the local server, and the export to one HTML file."""
