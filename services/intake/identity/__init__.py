"""Who is who across authorities: traits, candidates, scores, links that can be undone, moves."""
