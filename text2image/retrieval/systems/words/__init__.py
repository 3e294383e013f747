"""Search by words: queries looked for in the texts that are known of the images, written or read off them."""
