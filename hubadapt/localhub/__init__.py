"""The embedded Hub: a small server that speaks the Hugging Face Hub's protocol, for machines without the Hub.

Unmodified clients (`huggingface_hub`, `transformers`, `datasets`) upload to it and load from it once `HF_ENDPOINT`
names it. It serves this machine only: it listens on the loopback address and knows one user.

Its data folder, which is all its state and survives a restart:

    accounts.json  token          the user, salted hashes of tokens, and the write token in clear (both mode 0600)
    repos/models/ns/name/         git/ is a bare git repository, settings.json what git does not hold; likewise
                                  repos/datasets and repos/spaces
    blobs/ab/cd/<sha256>          the content of big files, which git names by git-lfs pointers
    xet/                          what Xet clients sent: xorbs (blocks of chunks), shards, and sha256 -> Xet hash
    collections/                  one JSON file each
    incoming/                     uploads under way; emptied at every start
"""
