"""Label source ``openai``: what a vision model on a server says of an image, paid for by the token.

From a question to its answer:

- ``settings`` is the section of params.yaml, ``source`` the label source;
- ``schema`` says what is asked (the judge asks something else), writes requests and reads completions;
- ``encode`` makes what leaves this machine of an image;
- ``service`` has the key, the client and the meaning of the server's errors, ``pace`` the waits;
- ``budget`` estimates, counts and limits what is paid, and says what to ask again;
- ``ask`` asks about many images at once, ``batches`` at half the price and within a day.
"""
