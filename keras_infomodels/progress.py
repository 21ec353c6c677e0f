"""Progress bars in a terminal and in a notebook."""

import warnings

__all__ = ["progress"]


def progress(*arguments, **settings):
    """Returns a tqdm bar: widgets in a notebook with ipywidgets, none where output is a file.

    Args:
        *arguments: arguments of `tqdm.tqdm`.
        **settings: settings of `tqdm.tqdm`; `disable=None` is the default.
    """
    from tqdm import TqdmWarning

    with warnings.catch_warnings():
        # A notebook without ipywidgets has the bar of a terminal, and needs no advice.
        warnings.simplefilter("ignore", TqdmWarning)
        from tqdm.auto import tqdm
    return tqdm(*arguments, **{"disable": None, **settings})
