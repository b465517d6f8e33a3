"""The networks, written from their papers: `torch.nn.Module` s that eat tensors, one file per paper.

Every file says its own ranges and mask polarity; files and pictures are the business of `lacuna.methods.cnn`.
Parameter names are those of the published code where there is some, so that checkpoints load as they are.
Importing this package does nothing; its modules need torch.
"""
