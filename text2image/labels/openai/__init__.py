"""Label source ``openai``: what a vision model on a server says of an image, paid for by the token.

From a question to its answer:

- ``settings`` is the section of params.yaml, ``source`` the label source;
- ``schema`` says what is asked (the judge asks something else), and what is stored of what comes back;
- ``encode`` makes what leaves this machine of an image, ``dialect`` puts the question as the server takes it;
- ``transport`` is the client, with bounds on the size and the time of an answer; ``service`` has the key, one request, and
  when a run had better end; ``reasons`` says why there was no answer; ``pace`` has the waits, and how many requests are in flight;
- ``reading`` finds the answer in what a model wrote;
- ``budget`` estimates, counts and limits what is paid, and says what to ask again; ``ledger`` has what was sent and not answered;
- ``ask`` asks about many images at once, ``batches`` at half the price and within a day.
"""
