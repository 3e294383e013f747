"""Label source ``ocr``: the most prominent phrase on an image, as RapidOCR reads it."""
