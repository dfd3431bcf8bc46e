from __future__ import annotations

import inspect
import pickle

from fastdepth import errors


def test_every_error_is_in_the_tree_that_the_docstring_draws():
    classes = [
        c for _, c in inspect.getmembers(errors, inspect.isclass) if c.__module__ == errors.__name__
    ]
    assert len(classes) > 8
    for cls in classes:
        assert issubclass(cls, errors.FastDepthError)
        assert cls.__name__ in errors.__doc__


def test_an_unknown_name_is_answered_with_the_nearest_and_all():
    error = errors.UnknownNameError("variant", "unet12", ["effb5", "unet128"])
    assert "did you mean 'unet128'?" in str(error)
    assert "known: effb5, unet128" in str(error)


def test_an_unknown_name_is_told_by_another_process():
    error = errors.UnknownNameError("variant", "unet12", ["effb5", "unet128"])
    other = pickle.loads(pickle.dumps(error))
    assert (type(other), str(other)) == (type(error), str(error))


def test_a_name_far_from_all_gets_no_guess():
    assert "did you mean" not in str(errors.UnknownNameError("variant", "zzz", ["unet128"]))


def test_errors_of_use_are_builtin_errors_too():
    assert issubclass(errors.ImageError, ValueError)
    assert issubclass(errors.MissingExtraError, ImportError)
    assert issubclass(errors.OutputError, OSError)


def test_exit_status_is_2_for_the_user_and_1_for_a_failed_export():
    assert errors.SizeError("").exit_status == 2
    assert errors.ParityError("").exit_status == 1
