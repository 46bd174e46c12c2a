"""What trains differently when it is moved to Lightning without care, and the golden cases whose raw script has it.

A row is a trait, what Lightning does otherwise, and the fixtures. `tests/update_exactness_doc.py` makes docs/EXACTNESS.md of it.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Trait:
    """A trait of raw scripts, what Lightning does otherwise, and the fixtures that have it."""

    trait: str
    otherwise: str
    fixtures: tuple[str, ...]


def _t(trait: str, otherwise: str, *fixtures: str) -> Trait:
    return Trait(trait, otherwise, fixtures)


SECTIONS: dict[str, tuple[Trait, ...]] = {
    "The step": (
        _t(
            "zero_grad after the step",
            "zeroes before backward",
            "zero-grad-after-step",
            "gradients-read-after-zero-grad-at-end",
        ),
        _t("no zero_grad at all", "zeroes in every batch", "gradients-never-cleared"),
        _t(
            "`zero_grad(set_to_none=False)`",
            "sets to None: weight decay and momentum rest",
            "gradients-set-to-zero-not-none",
        ),
        _t("`model.zero_grad()`, the optimizer holds less", "zeroes what the optimizer holds", "zero-grad-on-model"),
        _t("several backward passes", "one loss is returned", "two-backwards"),
        _t("step before backward", "steps after backward", "step-before-backward"),
        _t("several steps per batch", "one step", "two-steps-of-sharpness-aware-minimization", "nested-loaders"),
        _t(
            "backward or step inside of an object that is called",
            "does not see them",
            "step-in-an-object-that-is-called",
            "step-in-a-method-of-a-schedule",
            "step-in-a-loss-object",
            "object-that-runs-backward-only",
        ),
        _t("a closure for the step (L-BFGS)", "makes its own closure", "closure-given-to-step"),
        _t(
            "a batch that is skipped",
            "steps schedulers and counters all the same",
            "batch-skipped-by-continue",
            "skipped-batch-with-print-before-step",
            "skipped-batch-with-scheduler-per-batch",
        ),
        _t(
            "parameters or gradients read after the step",
            "has stepped only after `training_step`",
            "post-step-reads-parameters",
            "post-step-inplace-on-output",
            "weights-clamped-after-step",
        ),
        _t(
            "gradients edited before the step",
            "between backward and step there is a hook only",
            "gradients-edited-before-step",
        ),
        _t(
            "gradient hooks",
            "code between backward and step may not move",
            "hook-object-collects-activations",
            "hook-writes-what-is-printed-after-backward",
        ),
    ),
    "Clipping": (
        _t(
            "parameters in one group",
            "",
            "gradient-clipping-plain",
            "clipping-with-the-usual-norm-type",
            "clipping-by-value",
        ),
        _t("parameters in several groups", "sums the norm in another order", "clipping-with-two-groups"),
        _t(
            "more than the optimizer holds",
            "clips the optimizer's parameters",
            "clipping-more-than-the-optimizer-holds",
        ),
        _t(
            "another norm, a bound that changes",
            "takes one bound and the Euclidean norm",
            "clipping-by-another-norm",
            "clipping-bound-that-changes",
        ),
        _t("the norm is used", "gives it to nobody", "gradient-clipping", "gradient-norm-kept-until-after-step"),
    ),
    "Loaders and random numbers": (
        _t(
            "numbers drawn before the first batch",
            "starts the loader before the epoch's hooks",
            "rng-drawn-at-epoch-start",
            "mixup-in-loop",
        ),
        _t(
            "numbers drawn before validation",
            "starts the validation loader before its hooks",
            "rng-drawn-before-validation",
            "validation-loader-that-shuffles",
        ),
        _t(
            "a loader with its own generator",
            "does not ask once more at the end",
            "shuffle-generator-in-loader",
            "generator-shared-by-two-loaders",
            "own-loader-class-around-a-shuffled-generator",
        ),
        _t(
            "a stream without length",
            "fetches a batch ahead",
            "iterable-dataset-without-length",
            "own-loader-class-lazy",
            "batches-from-a-generator-function",
        ),
        _t(
            "a loader class of the script's own",
            "asks for one iterator more",
            "own-loader-class",
            "own-loader-derived-from-data-loader",
            "own-loader-class-around-a-loader",
            "own-loader-beside-a-loader",
            "validation-loader-of-an-own-class",
        ),
        _t(
            "a length that is too large",
            "skips validation and schedules",
            "loader-longer-than-its-data",
            "loader-of-a-class-that-claims-too-much",
        ),
        _t(
            "a list, or the data set, instead of a loader",
            "takes a list for several loaders",
            "list-of-batches-as-loader",
            "loader-turned-into-a-list",
            "batches-in-an-attribute-of-unknown-kind",
            "dataset-without-a-loader",
        ),
        _t(
            "several loaders side by side",
            "cycles the shorter one",
            "pairs-from-two-loaders",
            "loaders-zipped-with-random-data",
            "shorter-loader-that-is-cycled",
        ),
        _t("no loader", "a loader draws a number when it starts", "full-batch", "range-slicing-batches"),
        _t(
            "a loader made anew in every epoch",
            "asks for two iterators",
            "loader-rebuilt-every-epoch",
            "loader-made-from-growing-data",
            "loader-made-in-the-loop-head",
        ),
        _t(
            "break before the step, batches cut off",
            "`limit_train_batches` fetches one batch less",
            "break-before-the-step-with-random-data",
            "first-batches-by-islice",
        ),
        _t(
            "break after the step",
            "",
            "batch-loop-left-by-break",
            "break-once-the-index-is-reached",
            "break-at-a-count-that-may-be-zero",
            "break-after-at-least-one-batch",
        ),
        _t(
            "data that draws numbers",
            "order of step and fetch",
            "dataset-drawing-rng",
            "persistent-workers-in-validation",
        ),
        _t(
            "data changed at the epoch's start",
            "workers have started",
            "dataset-changed-at-epoch-start",
            "dataset-changed-at-epoch-start-with-workers",
            "loader-from-a-function-changed-at-epoch-start",
        ),
        _t(
            "samplers and `set_epoch`",
            "calls it itself; the first order is asked for early",
            "sampler-epoch-never-set",
            "sampler-epoch-from-a-start",
            "distributed-sampler-told-the-epoch",
            "batch-sampler-with-epochs",
            "batch-sampler-with-epochs-from-a-start",
        ),
        _t("seeds", "`seed_everything` seeds workers, too", "seeded-in-every-way"),
        _t(
            "data split at random before the network is made",
            "`setup` runs after it",
            "split-before-the-network-is-made",
        ),
        _t(
            "steps counted over an endless loader",
            "counts epochs",
            "steps-over-endless-loader",
            "while-over-a-loader",
            "while-steps-are-left",
            "enumerate-continues-over-epochs",
        ),
    ),
    "Precision": (
        _t(
            "autocast around forward and loss, a weight used twice",
            "accumulates in another precision; validates under autocast",
            "bfloat16-autocast",
        ),
        _t(
            "autocast around forward and loss, each weight used once",
            "",
            "mixed-precision-of-the-trainer",
            "mixed-precision-with-a-scaler",
            "mixed-precision-on-either-device",
            "settings-run-as-code-switch-autocast",
        ),
        _t("the same, validated in full precision", "validates under autocast", "mixed-precision-validated-in-full"),
        _t(
            "autocast, a weight used several times",
            "accumulates its gradients in another precision",
            "mixed-precision-with-tied-weights",
            "mixed-precision-twice-through-the-network",
            "mixed-precision-of-a-recurrent-network",
            "mixed-precision-with-gradients-of-the-batch",
        ),
        _t(
            "autocast around forward only",
            "computes the loss under autocast",
            "autocast-around-forward-only",
            "mixed-precision-and-a-metric-in-full",
        ),
        _t(
            "half precision on a processor, or without a scaler",
            "makes bfloat16 of it; always scales",
            "mixed-precision-of-half-on-the-processor",
            "mixed-precision-without-a-scaler",
        ),
        _t(
            "a scaler that is saved, has a scale of its own, or steps on scaled gradients",
            "has its own and unscales at once",
            "mixed-precision-whose-scaler-is-saved",
            "mixed-precision-with-an-own-scale",
            "mixed-precision-clipped-while-scaled",
            "mixed-precision-over-several-trainings",
        ),
        _t(
            "a GradScaler",
            "turns half precision on a processor to bfloat16",
            "gradient-scaler-on-the-processor",
            "accumulation-with-a-scaler",
            "gradient-scaler-switched-off",
        ),
        _t("double precision", "turns finished weights", "double-precision-by-default", "network-turned-to-double"),
        _t(
            "`--precision` and the script's own autocast or scaler",
            "does both",
            "precision-asked-of-a-script-with-autocast",
            "precision-asked-of-a-script-with-a-scaler",
            "full-precision-asked-of-a-script-with-autocast",
            "precision-asked-and-autocast-switched-off",
        ),
    ),
    "Accumulated gradients": (
        _t(
            "divided, stepped on the last batch",
            "",
            "accumulation-stepped-on-the-last-batch",
            "accumulation-divided-in-place",
            "accumulation-with-clipping-and-schedule",
            "accumulation-in-a-function-with-two-groups",
        ),
        _t(
            "a rest is carried over",
            "steps on the last batch; clears before validation",
            "accumulation-with-tail",
            "validation-inside-an-accumulation-window",
        ),
        _t(
            "a rest is carried into another training",
            "clears when `fit` begins",
            "accumulation-rest-across-two-trainings",
            "gradients-carried-into-the-next-run",
        ),
        _t(
            "not divided, or by another number",
            "divides by the window",
            "accumulation-without-division",
            "accumulation-divided-by-another-number",
            "accumulation-last-window-by-its-length",
        ),
        _t(
            "a window that changes or is cut short",
            "has one window; steps on the last batch",
            "accumulation-over-a-window-that-grows",
            "accumulation-left-by-break",
            "accumulation-stepped-before-the-last-batch",
        ),
        _t(
            "more at the window's end, or within it",
            "steps schedules once per window",
            "accumulation-with-schedule-for-every-batch",
            "accumulation-with-two-schedules",
            "accumulation-that-counts-steps",
            "accumulation-with-gradients-read-per-batch",
        ),
    ),
    "Schedules": (
        _t(
            "per batch",
            "steps once per epoch unless told",
            "scheduler-per-batch",
            "schedule-of-several-parts",
            "schedule-moved-every-second-batch",
        ),
        _t(
            "per epoch, the rate is read before",
            "steps before validation and the batch's last hook",
            "learning-rate-printed-in-validation",
            "rate-stored-at-the-end-of-a-batch",
            "scheduler-per-epoch",
            "schedule-that-starts-late",
        ),
        _t("before the batches", "steps after them", "scheduler-before-batches", "warmup-then-scheduler"),
        _t(
            "with an argument",
            "gives none",
            "scheduler-fed-with-fraction-of-epoch",
            "schedule-told-the-epoch",
            "counter-raised-after-scheduler-step",
        ),
        _t(
            "plateau",
            "rounds the number to single precision",
            "plateau-scheduler",
            "plateau-decided-by-the-last-digits",
        ),
        _t("several optimizers", "steps none in manual optimization", "two-optimizers-with-schedules"),
        _t(
            "rates written by hand",
            "",
            "learning-rate-rewritten-by-hand",
            "learning-rate-rewritten-for-every-batch",
            "two-optimizers-learning-rate-at-epoch-start",
        ),
    ),
    "Validation and modes": (
        _t(
            "`eval()` is never called",
            "switches to eval mode",
            "validation-without-eval",
            "average-model-evaluated-in-train-mode",
        ),
        _t(
            "`train()` is never called again",
            "switches back",
            "eval-never-back-to-train",
            "model-left-in-eval-after-last-validation",
            "trained-in-eval-mode",
            "mode-printed-after-validation",
        ),
        _t(
            "frozen parts",
            "`train()` is the script's alone",
            "frozen-batchnorm-in-training",
            "frozen-layer-thawed-by-train",
        ),
        _t(
            "gradients in validation",
            "switches them off",
            "validation-that-needs-gradients",
            "test-without-no-grad",
            "grad-mode-asked-before-validation",
            "validation-break-with-gradients-switched",
        ),
        _t(
            "other intervals",
            "begins after the first interval",
            "validation-every-k-epochs",
            "validation-every-second-epoch-from-the-first",
            "validation-inside-batch-loop",
            "validation-inside-batch-loop-from-the-first",
        ),
        _t("before training", "", "validation-before-training-in-epoch", "evaluation-before-training"),
        _t(
            "several sets",
            "takes them in one pass",
            "validation-on-training-and-test-data",
            "validation-over-a-list-of-loaders",
        ),
        _t(
            "stopped in the middle of an epoch",
            "validates once more, or not at all",
            "stopped-in-the-middle-of-an-epoch",
            "early-stopping-break",
        ),
        _t(
            "numbers that decide",
            "rounds logged numbers, stops on NaN",
            "best-by-a-hair",
            "loss-that-is-not-a-number",
            "global-best-accuracy",
        ),
        _t(
            "averages",
            "weighs by a guessed batch size",
            "last-batch-smaller",
            "sequence-first-batches",
            "batches-without-a-tensor",
        ),
    ),
    "State and checkpoints": (
        _t("weights saved by hand", "prefixes keys", "best-checkpoint", "checkpoint-inside-batch-loop"),
        _t("arguments in a checkpoint", "loads weights only", "checkpoint-with-the-arguments"),
        _t(
            "training goes on from a checkpoint",
            "counts from 0",
            "resume-from-checkpoint",
            "resume-with-optimizer-and-schedule",
            "epoch-counted-from-one",
        ),
        _t(
            "names that Lightning has",
            "they mean something else on a module",
            "names-that-clash-with-lightning",
            "names-of-hook-parameters",
            "names-that-lightning-looks-for",
            "class-named-litnet-already",
        ),
        _t("hidden state", "has no truncated backward any more", "hidden-state-carried"),
        _t(
            "^C",
            "makes an exit of it",
            "interrupt-handled-around-epochs",
            "interrupt-handler-reads-loop-state",
            "interrupt-beside-an-exit",
        ),
        _t(
            "own writers and counters",
            "thins out and counts optimizer steps",
            "numbers-written-by-an-own-writer",
            "counter-over-the-run",
        ),
    ),
    "Several networks, averages, wrappers": (
        _t(
            "two optimizers",
            "wants manual optimization",
            "two-optimizers-adversarial",
            "gradients-of-the-other-network",
            "gradient-penalty",
        ),
        _t(
            "averaged weights",
            "its callbacks round and swap in another way",
            "ema-after-step",
            "weights-averaged-by-hand",
        ),
        _t("`torch.compile`", "compiling the module is another graph", "network-compiled"),
        _t("DataParallel", "has no such strategy", "data-parallel-always", "data-parallel-on-many-gpus"),
        _t("own processes", "starts them itself", "spawned-processes", "own-processes-and-a-strategy"),
    ),
}
"""The traits by topic."""
