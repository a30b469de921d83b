"""The lessons: a session each, with names for its values and words for its lines."""

LESSONS = {
    "two-layer": "a two-layer ReLU net, every gradient by hand beside autograd's",
}
