"""Networks that a user would pick instead, timed beside fastdepth's own.

:mod:`fastdepth_bench.results.rivals` is the table of them, :mod:`fastdepth_bench.rivals.networks`
builds those that an installed library has, :mod:`fastdepth_bench.rivals.study` finds what can be
timed.
"""
