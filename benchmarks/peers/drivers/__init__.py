"""What runs inside the peers' environments: plain files without clew, one JSON object in, one out."""
