r"""HOW LONG: the time that a layer, a branch or a model takes on one machine, measured or predicted.

Three kinds of knowledge, the better one wins::

    profile          measured     the times of one model on one machine; exact, but only for that pair
    latency model    predicted    the times of any model on one machine, learned from a sweep of random networks
    whole models     predicted    the same, learned from whole models only, where no profiler can see single layers

What an engine runs are *kernels*, not layers: it fuses a convolution with its activation into one. So all models
predict kernels, and `booking` gives the times back to the layers, which are what a cut divides::

    layers of a branch         conv1   relu1   pool1   conv2   relu2   fc
                                 \      /        |        \      /      |
    kernels of the engine       FusedConv      Pool      FusedConv    Gemm
                                    |            |           |          |
    traits                      work and form of each: calls, flops, bytes; sizes, strides, age in the caches
                                    |            |           |          |
    family                      seconds = roofline(work) x efficiency(form)         one fit for each family of kernels
                                    |            |           |          |
    control flow               an If, a Loop or a Scan takes what the kernels inside of it take, as often as they run
                                    |            |           |          |
    booking                     seconds of each layer, with a covariance            -> planning adds them between cuts

**Families.** Kernels that share an implementation are one family. Its *roofline* is a line without negative terms: so
many seconds for a call, for an operation and for each byte. Real kernels do not reach it evenly, and how near they come
depends on the form of the work, so the logarithm of the efficiency is a Gaussian process over the logarithms of the
sizes. Its uncertainty grows away from the kernels that were timed, and is shared within a family: if one convolution is
slower than predicted, its sisters are too. Hence the covariance, and hence intervals for sums that hold what they say.
A sweep is never run on an even machine; two reference tasks are timed beside every kernel, and how strongly a family
follows them is fitted along with the rest. Where the engine computes in the thread that calls it, what is timed is that
thread's processor time, so that other programs' turns are in no sample.

**What is not known is said.** Three things widen an interval beyond what the processes leave open: a family that no
sample is of, or only a handful, which is priced like its relatives (`relatives`); bodies of control flow of which only
the data tell which runs, or how often (`control_flow`); shapes that only the data tell. A sweep spends its turns where
times scatter most (`profiling.next_specimen`).

**Whole models.** Where only whole models can be timed, each kind of layer has rates (per layer, operation and byte),
drawn towards rates common to all kinds. Ten timings give little more than a common line, hundreds give each kind its
own (`whole`).

**Carried over.** A model of one machine becomes that of another by a few timings: machines differ mostly by one factor,
and then a little by kind of work (`carried`).

**Drift.** All of the above say what a machine takes when it is as fast as it was. While it works, `Drift` compares
each measured time with the predicted one and keeps the factor between them, which stays level, jumps and creeps::

    measured / predicted     2 |              . : .  .              noise is averaged over a run,
                               |             .  '  '   .  .         a jump begins a new run after a few looks,
                             1 | . : ' . : '                        an outlier does not
                               +---------------------------> requests

`regressions` has the paper's model and a line on operations, to compare with. `compare` puts two machines side by side.
"""

from edgent.latency.profile import BranchProfile, CodecTime, Profile, Timing

__all__ = ["BranchProfile", "CodecTime", "Profile", "Timing"]
