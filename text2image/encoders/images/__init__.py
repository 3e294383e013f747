"""Images from files to what a network makes of them: decoding, preprocessing, batches, processors and accelerators."""
