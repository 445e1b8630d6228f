"""Many nodes against each other: a small summary of each, made where its dump is, and what all of them say."""
