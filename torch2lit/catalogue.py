"""Every finding that torch2lit can give. Importing this module registers them."""

from __future__ import annotations

from .findings import Rule, register

register(
    Rule(
        code="T2L001",
        slug="unparsable-cell",
        severity="note",
        why="A code cell of the notebook is not Python, so it took no part in the conversion and stays.",
        remedy="If the cell belongs to the training, make it valid Python and convert the notebook again.",
        text="""\
A notebook is read as one program: its code cells in their order. Lines in IPython's own syntax (`%matplotlib
inline`, `!pip install ...`, `model?`) are understood and stay where they are. A cell that does not parse even
without them, or that a cell magic such as `%%writefile` hands to something else, is left alone: what it defines is
unknown to the rest, and what it mentions is kept for it.

The note is given for every cell that does not parse, and for a cell under a cell magic when it mentions
`backward`, because then it may hold the training loop itself.
""",
    )
)
register(
    Rule(
        code="T2L002",
        slug="metadata-not-kept",
        severity="note",
        why="Something that belongs to the file besides its text could not be given to the converted one.",
        remedy="Restore it by hand if it matters: `chown`, `setfattr`, or `ln -f` for the other names of the file.",
        text="""\
A file is replaced in one step, so that it is never half-written: the converted text is a new file under the old name. It
gets the mode, the owner, the group and the extended attributes (access lists among them) of the old one. Only the owner of
a system may give files away, some attributes only a privileged program may set, and other names of the same file (hard
links) go on to mean the old text. What was lost is in the message.
""",
    )
)

register(
    Rule(
        code="T2L003",
        slug="unused-skip",
        severity="note",
        why="A `# torch2lit: skip` or `# torch2lit: skip-file` comment keeps nothing from being converted.",
        remedy="Remove the comment, or put it on the line of the loop, the function or the class that is to stay.",
        text="""\
The file was converted once more without the comment, and the result was the same: there is no training loop there, the
comment stands on a line that begins no loop, function or class, or another comment says it already. Comments in notebooks
are not looked at in this way.
""",
    )
)

# ---- refusals

register(
    Rule(
        code="T2L101",
        slug="loop-in-class",
        severity="refused",
        why="The training loop lives in the methods of a class, and what these do cannot be told for certain.",
        remedy="Remove what the message names, or leave `--target` at `auto`: Fabric keeps the class as it is.",
        text="""\
A class that trains keeps its state on `self` and offers methods that other code calls. It stays: the method with the epochs
makes a LightningModule that holds the object, and the Trainer runs it. That is right only if every attribute is a plain value and every
method the one that is called: not for classes that are modules themselves, are decorated, define `__setattr__` and the like,
are extended by several classes or in another file, or whose methods are replaced. Then Fabric takes the loop, unless `--target trainer` forbids it.
""",
    )
)
register(
    Rule(
        code="T2L102",
        slug="no-optimizer-step",
        severity="refused",
        why="A backward pass was found, but no optimizer step in the same function feeds on it.",
        remedy="Put `backward()` and `optimizer.step()` into the same function, then convert again.",
        text="""\
torch2lit starts from step sites: an `optimizer.step()` with the `backward()` that feeds it. When the two stand in
different functions, or a library hides one of them, their order cannot be read off the source.
""",
    )
)
register(
    Rule(
        code="T2L103",
        slug="while-loop",
        severity="refused",
        why="The condition of a `while` loop cannot be looked at in another place.",
        remedy="Look at what the condition needs at the end of the loop's body, and keep it in a variable.",
        text="""\
A `while` loop becomes an endless run of the Trainer that is stopped when the condition fails: after each turn, not before the next. That is the
same for a condition that only looks. One that draws random numbers or runs the model may not move.
""",
    )
)
register(
    Rule(
        code="T2L104",
        slug="no-entry-point",
        severity="refused",
        why="The file defines a function that trains over batches, but nothing in it calls that function.",
        remedy="Convert the script that calls the function.",
        text="""\
An engine module holds the batch loop while another file holds the epoch loop. The Trainer takes over both, so the
conversion starts from the script that runs.
""",
    )
)
register(
    Rule(
        code="T2L105",
        slug="step-outside-loop",
        severity="refused",
        why="The optimizer step does not stand inside a loop that can be followed.",
        remedy="Put the step into a `for` loop, or call its function from one.",
        text="""\
A single step outside of any loop is no training loop; a step in a function that nobody in the file calls cannot be
followed to its loop.
""",
    )
)
register(
    Rule(
        code="T2L106",
        slug="function-not-inlined",
        severity="refused",
        why="The function that trains cannot be taken apart into hooks.",
        remedy="See the message: usually an early `return`, a decorator, or `*args` stands in the way.",
        text="""\
The body of the training function moves into the hooks of the module. That needs a body that runs from top to
bottom, parameters whose values are known, and a call that surely runs once per epoch.
""",
    )
)
register(
    Rule(
        code="T2L107",
        slug="unknown-epochs",
        severity="refused",
        why="The loop that would become the epochs runs over something that is not a range.",
        remedy="Write the epoch loop as `for epoch in range(...)`.",
        text="""\
`max_epochs` is a number. A loop over a list, a generator or an unknown object has no number that can be read off
the source.
""",
    )
)
register(
    Rule(
        code="T2L108",
        slug="loop-else",
        severity="refused",
        why="The loop has an `else` block, which runs only if the loop was not left by `break`.",
        remedy="Write what the `else` means with a flag after the loop.",
        text="Lightning's loop has no counterpart for `for ... else`.\n",
    )
)
register(
    Rule(
        code="T2L109",
        slug="loop-in-coroutine",
        severity="refused",
        why="The training loop is in an `async` function or in a generator.",
        remedy="Train in a plain function.",
        text="Hooks are plain functions: nothing in them can be awaited, and they cannot give values to a caller in between.\n",
    )
)
register(
    Rule(
        code="T2L110",
        slug="names-made-at-run-time",
        severity="refused",
        why="Names that exist only at run time cannot be followed into the module.",
        remedy="Assign the names in the source instead of by `exec`, `eval` or `locals`.",
        text="""\
Values move from the script's scope to the module by name. `exec` and `locals` make or read names that no reader of
the source can see.
""",
    )
)
register(
    Rule(
        code="T2L111",
        slug="return-in-loop",
        severity="refused",
        why="A `return` leaves the function from inside the loop that the Trainer takes over.",
        remedy="Leave the loop by `break`, and return after it.",
        text="""\
A hook can stop the training, but it cannot make the function around `trainer.fit` return with a value.
""",
    )
)
register(
    Rule(
        code="T2L112",
        slug="step-not-reached",
        severity="refused",
        why="The step does not stand straight in its loop.",
        remedy="See the message; calling the step's function in a statement of its own is enough.",
        text="The call that leads to the step may run not at all, or several times, in one turn of the loop.\n",
    )
)
register(
    Rule(
        code="T2L113",
        slug="closure-over-loop-state",
        severity="refused",
        why="A nested function reads a variable that the training loop changes.",
        remedy="Pass the value to the function as an argument.",
        text="""\
State that lives across hooks becomes an attribute of the module. A closure would go on reading the old variable of
the function around it.
""",
    )
)
register(
    Rule(
        code="T2L114",
        slug="nests-overlap",
        severity="refused",
        why="Two training loops share code that both would have to change.",
        remedy="Give each loop a function of its own, then convert the file again.",
        text="Each training loop becomes a module of its own, and the second one would change the same lines.\n",
    )
)
register(
    Rule(
        code="T2L115",
        slug="output-not-valid",
        severity="refused",
        why="The conversion did not pass torch2lit's own checks, so nothing was written.",
        remedy="Please report the script: this is a fault of torch2lit.",
        text="""\
Before anything is written the result must compile, give every name that it reads a value, and be unchanged by a second
conversion. A result that fails is thrown away.
""",
    )
)

register(
    Rule(
        code="T2L116",
        slug="optimizer-made-in-loop",
        severity="refused",
        why="The optimizer is made inside the loop that the Trainer takes over.",
        remedy="Make the optimizer before the loop.",
        text="""\
Lightning asks `configure_optimizers` once, at the start of `fit`. An optimizer that is made or replaced while the
loop runs has no place there.
""",
    )
)

register(
    Rule(
        code="T2L117",
        slug="framework-wrapped",
        severity="refused",
        why="Another framework runs backward or the optimizer step, so the script is no raw PyTorch any more.",
        remedy="Replace each use that the message lists by what it names, see that the script trains as before, then convert.",
        text="""\
Accelerate, apex, Horovod, DeepSpeed and ignite wrap the model, the optimizer, backward or the loop. Lightning has strategies and
precision plugins for what they do, but the wrapper has to go first: two of them would scale or reduce twice. The message lists
every use in the file, because one that is left out changes the training: without `accumulate`, for example, the optimizer steps
after every batch. A branch that only an option takes (`if args.apex: ... else: loss.backward()`) stays as it is.
""",
    )
)

register(
    Rule(
        code="T2L119",
        slug="took-too-long",
        severity="refused",
        why="The file was not converted within its time limit, so it stays as it is.",
        remedy="Allow more time by `--time-limit SECONDS`, or take generated tables and code that does not train out of the file.",
        text="""\
One file may take 300 seconds, so that one that is made by a program, or a fault of torch2lit, does not hold up a run of many. Most
files take less than one; a script that people wrote and that takes minutes is worth a report.
""",
    )
)

register(
    Rule(
        code="T2L123",
        slug="end-of-iterator-taken",
        severity="refused",
        why="An iterator that ends inside the training loop raises StopIteration, which the script itself takes; in a hook Lightning would end its epoch by it.",
        remedy="Ask with a default (`next(batches, None)`) and leave the loop by `break`, or take StopIteration where the iterator is asked.",
        text="""\
`next(iterator)` raises StopIteration at the iterator's end. Lightning's loops are themselves left by StopIteration, so in a hook it would end the epoch without a word (in manual optimization
only the batch). Where nothing takes it the conversion raises RuntimeError in its place, as Python does in a generator. A `try` around the training that takes StopIteration, or any
exception, would see another one then.
""",
    )
)
register(
    Rule(
        code="T2L130",
        slug="old-python",
        severity="refused",
        why="The file is written for Python 2, or for a Python before 3.7, and does not parse.",
        remedy="Run a 2-to-3 tool (such as `fissix`) first, or rename what is called `async`; then convert again.",
        text="""\
Lightning needs Python 3. A print statement, `except X, e` or backticks end the reading of the file at once, so nothing
is known about its training. The argument `async=True` of `cuda()` is the one exception: it is modernised on the way.
""",
    )
)

# ---- to be reviewed

register(
    Rule(
        code="T2L121",
        slug="training-elsewhere",
        severity="refused",
        why="The script calls a function or a class of another project file for its training, and that cannot be converted.",
        remedy="See the message: convert the other file, or move the training loop into the script.",
        text="""\
A program may span several files. Where another file holds the whole loop, it is converted with the script; where it
holds the training of one epoch or batch, its code moves into the script's module. Here neither holds.
""",
    )
)
register(
    Rule(
        code="T2L131",
        slug="options-do-not-fit",
        severity="refused",
        why="The script trains on a device, or in a way, in which Lightning does not take the options that were given.",
        remedy="Give `--accelerator` as well, or leave out the option that the message names.",
        text="""\
`--strategy`, `--devices` and `--precision` are checked together with each other before any file is read, and together with the device that
the script names when its Trainer is planned: `fsdp` and `deepspeed` need CUDA GPUs, a CPU takes a count of processes and no
indices, MPS is one device. The Trainer would raise where it is made. And they are checked with the way in which the loop is converted: FSDP cannot run a backward
pass inside of `training_step`, DeepSpeed takes one optimizer and clips by the norm, and among several processes no loader with a `batch_sampler` is shared out as it is.
""",
    )
)

# ---- to be reviewed

register(
    Rule(
        code="T2L201",
        slug="never-back-to-train",
        severity="review",
        why="The script evaluates in eval mode and never calls `train()` again, so dropout and batch norm stay in eval mode.",
        remedy="If that was not meant, call `model.train()` at the start of every epoch and drop that call, or the override.",
        text="""\
Lightning restores the train mode after validation. The script does not, so the conversion calls `eval()` at the end of every epoch, or
overrides `on_validation_model_train`, to train as the script trains. It is often a mistake of the script.
""",
    )
)
register(
    Rule(
        code="T2L202",
        slug="interrupt-not-caught",
        severity="review",
        why="`Trainer.fit` turns ^C into `SystemExit`, so `except KeyboardInterrupt` around it does not run.",
        remedy="Catch `SystemExit` as well, or do the work of the handler in a callback's `on_exception`.",
        text="""\
Lightning 2.6 catches KeyboardInterrupt inside of `fit`, tears down and exits. The handler is not made to take exits as
well, because the script may end the program itself in the code that the handler guards, and that would be taken for ^C.
""",
    )
)

register(
    Rule(
        code="T2L203",
        slug="own-processes",
        severity="review",
        why="The script starts or joins several processes itself, and each of them makes a Trainer with one device.",
        remedy="To let Lightning wrap the model, change what each of the messages names and convert again; `verify --nproc 2` compares every process.",
        text="""\
`init_process_group`, `mp.spawn` and DistributedDataParallel go on working as the script set them up: Lightning runs one
device in every process and leaves the wrapped module alone. That is the same training on every rank, but none of Lightning's own
distributed features. Each finding says one thing that keeps the wrapper from becoming the Trainer's strategy, and what to change:

- several backward passes or optimizers, or gradients of several batches per step: in manual optimization Lightning does not send
  the buffers (BatchNorm) of rank 0 to the others, and it leaves out the averaging between the batches of a step, which the script does;
- the model is also called without the wrapper (`model.module(x)`, a test after training) and may have buffers: they would be
  others on all ranks but the first;
- what only the wrapper has, or has in another form (`model.state_dict(prefix=...)`, a state that is loaded with `strict=False`);
- one model that is wrapped in ways that differ by more than the device, of which a condition takes one;
- processes that neither torchrun nor one `mp.spawn` starts, on GPUs that no `torch.cuda.set_device` chooses, or `LOCAL_RANK`, `NODE_RANK` and
  `WORLD_SIZE` that are read when training has begun: otherwise Lightning asks the group that is there, whatever has started it (SLURM, MPI, a spawn
  on each machine), and every process is a machine with one device to it;
- an object that other code gets as a whole, while one of its attributes is the wrapper;
- training that may be left out before the model is used: Lightning makes the weights the same everywhere in `fit`, the wrapper at once.

Each of the Trainers runs on the GPU that its process has chosen or has put the model on.

With `--strategy` as well, Lightning starts or joins processes a second time: the script's own set-up has to go first.
""",
    )
)

register(
    Rule(
        code="T2L206",
        slug="settings-run-as-code",
        severity="review",
        why="The script runs code from elsewhere with `exec`, which may change any of its names before training.",
        remedy="Check that what is run only sets plain values, or run `torch2lit verify` with the usual arguments.",
        text="""\
Names stay at module level, so settings that are made this way reach the module. A function, a loader or a model that is made
there cannot be seen.
""",
    )
)
register(
    Rule(
        code="T2L204",
        slug="loader-changed-at-epoch-start",
        severity="review",
        why="Lightning asks the loader for its iterator before `on_train_epoch_start` of the first epoch.",
        remedy="With `num_workers=0` nothing differs; with workers, make the change once before `trainer.fit` as well.",
        text="""\
Worker processes get their copy of the dataset, and the sampler its first questions, when the iterator is made. In the
first epoch that is before the hook at the epoch's start, in later epochs after it. A change of the sampler, the dataset
or the loader at the start of an epoch is then one epoch late for the first one.
""",
    )
)

register(
    Rule(
        code="T2L207",
        slug="own-precision",
        severity="review",
        why="The script runs under autocast or scales its gradients itself, and `--precision` asks the Trainer to do the same.",
        remedy="Take autocast and scaler out of the script to use the Trainer's precision, or leave `--precision` out.",
        text="""\
The script's own lines stay, because they are the same training: Lightning's mixed precision puts validation under autocast, too, and
casts a weight that is used twice in another way. With both at once gradients would be scaled twice. So the Trainer is given no
lower precision than the script's own.
""",
    )
)
register(
    Rule(
        code="T2L208",
        slug="fabric-backward-only",
        severity="review",
        why="A conversion to Fabric that sets nothing up trains the same, and brings no strategy and no precision either.",
        remedy="Make what the `fabric-left-raw` findings of the file name plain, or leave this file out: `# torch2lit: skip-file`.",
        text="""\
Fabric takes models, optimizers and loaders over by `fabric.setup`. Where each of them is used in a way that the wrapper would
change, all that is left for Fabric is `fabric.backward`. The program trains as before on one device; nothing else is won. A file that only
defines training for others, and a script that joins several processes itself, stay as they are instead (T2L313), unless `--target fabric` asks for it.
""",
    )
)
register(
    Rule(
        code="T2L210",
        slug="fabric-by-hand",
        severity="review",
        why="An option asks Fabric for more than one process or another precision, and the script does part of that work itself.",
        remedy="Set up the objects that the message names with `fabric.setup`, or take the script's own handling out.",
        text="""\
On one device and in full precision a program trains the same whether its models and optimizers are set up with Fabric or
not. Mixed precision and several processes need all of them set up, and nothing beside Fabric that scales, casts or clips: use
`fabric.clip_gradients` and `fabric.autocast` there.
""",
    )
)
register(
    Rule(
        code="T2L230",
        slug="several-devices",
        severity="review",
        why="The options ask for several processes, in which the script does more than it did in one.",
        remedy="Read what the message says of batches, evaluation and the code around training; give the learning rate and the number of epochs that the larger batch needs.",
        text="""\
One finding per script, and only what follows from its plan. Each process is the whole script: Lightning starts it once per device, makes the weights equal when `fit` begins and
averages the gradients in every backward pass. What it does with the data follows from what it is given:

- A `DataLoader` that the Trainer runs over gets a `DistributedSampler`: every process sees its share, a step takes one batch on each device, and an epoch has so many steps
  fewer. That sampler shuffles a training loader, also one that the script does not shuffle. A schedule that was made for the old number of steps is not told.
- The validation loader gets a `DistributedSampler` of one process (`num_replicas=1`), which Lightning leaves alone, or is wrapped where that cannot be written: every
  process validates on all data, with the first one's buffers, so that counts, averages, the best model, patience and a plateau are those of one process.
- Where a decision hangs on a number that each process has of its own (a training loss, an evaluation outside of `validation_step`), the first process decides for all:
  `self.trainer.strategy.broadcast(...)`.
- Hooks print by `self.print`, and write files only where `self.trainer.is_global_zero`.
- Anything else that the Trainer runs over, and every loop of the script's own, runs whole in every process, as does what stands outside of `fit`.

`torch2lit verify SCRIPT --devices 2` runs the conversion in two processes on the CPU and says whether all of this holds.
""",
    )
)
register(
    Rule(
        code="T2L231",
        slug="differs-per-process",
        severity="review",
        why="The options ask for several processes, and something that they all need may be another value in each of them.",
        remedy="Do what the message says: seed before anything is drawn, sort what comes from a set, or make the name once.",
        text="""\
Every process runs the script from its first line. What it draws without a seed (a split into training and validation data, made-up data, an order), the order of a set of strings, and names
that are made of the time come out otherwise in each. Then one process trains on what another one validates on, one word has two numbers, or files lie in N folders.
With `ddp` and DeepSpeed the weights are no matter: they are made equal when `fit` begins. FSDP and FSDP2 shard what each process has drawn: without a seed the whole is put together of
parts of different networks, which is a random start as well, but one that no single process would have, and buffers differ.
""",
    )
)
register(
    Rule(
        code="T2L232",
        slug="lower-precision",
        severity="review",
        why="The precision that the options ask for means something else, or does not run, on the device where the script trains.",
        remedy="On a CPU ask for `--precision bf16-mixed`; let `BCEWithLogitsLoss` take the logits, without the sigmoid before it, or switch autocast off around the loss.",
        text="""\
Lightning has no fp16 autocast on a CPU: there `16-mixed` is `bf16-mixed`, with fewer digits and without a scaler. CUDA's autocast refuses `BCELoss` and
`binary_cross_entropy`, whose inputs fp16 cannot hold near 0 and 1; `BCEWithLogitsLoss` is the same loss of the logits. The finding is given where the device is a GPU, or may be one.
""",
    )
)
register(
    Rule(
        code="T2L233",
        slug="sharded-weights",
        severity="review",
        why="The strategy that the options ask for gives every process a part of the weights and gradients, and this line takes it for the whole.",
        remedy="Save with `trainer.save_checkpoint(...)` and load that in one process; let the Trainer clip.",
        text="""\
FSDP and DeepSpeed's third stage keep the weights in parts, one in each process, and put them together only while Lightning runs `training_step` and
`validation_step`. What the script itself saves, counts or computes with the model at other times sees the part of one process. A norm of gradients over such a part
is another number in every process; where the Trainer clips (`gradient_clip_val`), the conversion for FSDP brings a `configure_gradient_clipping` that takes the norm over all of them.
""",
    )
)
register(
    Rule(
        code="T2L220",
        slug="modernised-likely",
        severity="review",
        why="Code for an older torch was modernised, and what it meant could not be proved.",
        remedy="Compare the new code with what the message says it meant.",
        text="""\
A script for PyTorch 0.2 to 1.x must run on a current torch, because Lightning needs one. What no longer runs is modernised
on the way. Here the file gives good reason, but no proof: the message tells what the code meant then and what it means now.
""",
    )
)
register(
    Rule(
        code="T2L221",
        slug="old-torch-left",
        severity="review",
        why="Code for an older torch stays, although it may not run, or not mean the same, on a current one.",
        remedy="Change it by hand as the message says, then run the script on the torch that Lightning uses.",
        text="""\
torch2lit modernises only what has a twin that means the same and whose condition the file proves. Other code for an
older torch is left byte for byte and listed here: removed functions, torchtext's fields, `volatile`, `x.data[0]` on a tensor
whose shape is not known.
""",
    )
)

# ---- notes

register(
    Rule(
        code="T2L301",
        slug="manual-optimization",
        severity="note",
        why="Automatic optimization would not train the same, so the module optimizes by hand.",
        remedy="Nothing to do. See the message for what kept it from automatic optimization.",
        text="""\
In automatic optimization Lightning runs zero_grad, backward and step itself, once per batch, after
`training_step` returned. A body that needs another order keeps it with `manual_backward` and `self.optimizers()`.
""",
    )
)
register(
    Rule(
        code="T2L302",
        slug="one-step-per-turn",
        severity="note",
        why="The loop has no loader, and no tensors that one could hand over: every turn makes one step.",
        remedy="Nothing to do.",
        text="""\
`fit(module, range(n))` hands the turn's number to `training_step`, and no DataLoader draws random numbers. All turns
are the batches of one epoch, because no pass over data ends here that an epoch could stand for.
""",
    )
)
register(
    Rule(
        code="T2L303",
        slug="epoch-kept",
        severity="note",
        why="The batch loop cannot be Lightning's own, so one `training_step` holds it as it stands.",
        remedy="See the message for what stood in the way.",
        text="""\
`fit(module, [0])` runs one `training_step` per epoch. Epochs, stopping and precision are Lightning's; per-batch
hooks, the progress bar over batches and `limit_train_batches` are not.
""",
    )
)
register(
    Rule(
        code="T2L304",
        slug="validation-kept",
        severity="note",
        why="The evaluation cannot be Lightning's validation loop, so its code stays and runs at the end of the epoch.",
        remedy="See the message for what stood in the way.",
        text="""\
Lightning runs the validation loader after the batches, in eval mode and without gradients. An evaluation that needs
another order, a condition that is known at the end of an epoch only, or several passes stays verbatim in `on_train_epoch_end`.
""",
    )
)
register(
    Rule(
        code="T2L305",
        slug="comment-removed",
        severity="note",
        why="This comment or docstring belonged to code that Lightning's own loop replaces.",
        remedy="Nothing to do, unless it says more than the code did.",
        text="""\
Comments travel with their statements, and the docstring of a function whose body stands in hooks goes to the module or to
the hook. What belonged to code that is gone, or has no place left, is listed here.
""",
    )
)
register(
    Rule(
        code="T2L306",
        slug="skipped-on-request",
        severity="note",
        why="A `# torch2lit: skip` comment stands on the loop, the function or the class.",
        remedy="Remove the comment to convert it.",
        text="`# torch2lit: skip` keeps a loop, a function or a class as it is; `# torch2lit: skip-file` a whole file.\n",
    )
)
register(
    Rule(
        code="T2L310",
        slug="fabric-used",
        severity="note",
        why="No Trainer shape holds this loop, so it stays as it is and Fabric runs its parts.",
        remedy="Nothing to do. See the message for what kept it from a Trainer; `--target trainer` refuses instead.",
        text="""\
Fabric leaves every loop, branch and call to the script. The device, the wrapping of models, optimizers and loaders, and the
backward pass are Fabric's, and so strategies and precision can be chosen where Fabric is made.
""",
    )
)
register(
    Rule(
        code="T2L311",
        slug="fabric-left-raw",
        severity="note",
        why="A model or an optimizer is used in a way that Fabric's wrapper around it would change, or is not known well enough.",
        remedy="Nothing to do on one device. For several devices or another precision, set it up by hand with `fabric.setup`.",
        text="""\
`fabric.setup` gives back thin wrappers. Saving a whole model, asking for its class or its named parameters, and handing it to
code of other files see the wrapper. Where such a use can be written as `model.module` it is; where not, the object
stays raw. Raw objects work beside Fabric on one device and train the same.
""",
    )
)
register(
    Rule(
        code="T2L313",
        slug="fabric-sets-up-nothing",
        severity="note",
        why="No Trainer holds this training for others or in several processes, and Fabric could run nothing of it but the backward pass, so it stays as it is.",
        remedy="Make plain what the message names, then Fabric sets it up; `--target fabric` writes `fabric.backward` all the same.",
        text="""\
Fabric is worth its lines when it sets up models, optimizers or loaders: devices, strategies and precision come from there. A program
with `fabric.backward` alone trains as before on one device and can do nothing that it could not do before. A file that only defines training
for others, and a script that joins several processes itself, stay as they are then; a script that trains by itself is converted, with T2L208. What keeps
the loop from a Trainer is told beside this note.
""",
    )
)
register(
    Rule(
        code="T2L315",
        slug="converted-elsewhere",
        severity="note",
        why="The training loop stands in another file of the program, which is converted with the script.",
        remedy="Review the other file's change together with this script.",
        text="""\
The script itself stays as it is: it calls what it called before. Other scripts that use the converted file train with
Lightning from now on, too.
""",
    )
)
register(
    Rule(
        code="T2L320",
        slug="modernised",
        severity="note",
        why="Code that a current torch or numpy no longer runs was replaced by what it meant.",
        remedy="Nothing to do.",
        text="""\
A script for PyTorch 0.2 to 1.x must run on a current torch, because Lightning needs one. Only what raises there is
modernised, each construct by a codemod of its own whose name begins the message: `loss.data[0]`, the `next()` of a loader's
iterator, `async=True`, `transforms.Scale`, `np.int`, `verbose=` of a scheduler and others. What still runs (`Variable`,
`size_average`, `clip_grad_norm`, `F.sigmoid`, ...) means the same as ever and is left byte for byte.
""",
    )
)
register(
    Rule(
        code="T2L307",
        slug="interrupt-is-an-exit",
        severity="note",
        why="`Trainer.fit` turns ^C into `SystemExit`, so the handler of `KeyboardInterrupt` takes that as well now.",
        remedy="Nothing to do.",
        text="""\
Lightning 2.6 catches KeyboardInterrupt inside of `fit`, tears down and exits with code 1. That exit has the interrupt for its context: the
handler takes it, and raises every other exit again. It reads what the loop has reached from the module.
""",
    )
)
register(
    Rule(
        code="T2L309",
        slug="no-data-ends-epoch",
        severity="note",
        why="An iterator that was made just now is asked for its first value, and nothing takes the StopIteration of an empty one: Lightning takes it for the end of the epoch.",
        remedy="Nothing has to be done as long as the data are not empty: the raw script would stop with an error there, the converted one trains on nothing.",
        text="""\
`next(iter(loader))`, and `batches = iter(loader)` with `next(batches)` right after it, have a value whenever the loader has a batch. `next()` of an iterator that may be used up in the middle of the
training is another matter: there the conversion raises an error.
""",
    )
)
register(
    Rule(
        code="T2L312",
        slug="empty-loader-started",
        severity="note",
        why="The script does not start a loader that has no batches. Lightning starts every loader that it validates over, and starting one draws a random number.",
        remedy="Nothing has to be done as long as the loader has a batch: the training is the same then. With an empty loader, dropout and shuffling draw other numbers after the first validation.",
        text="""\
A function that begins with `if len(loader) == 0: return float("nan")` never asks an empty loader for an iterator. In Lightning's validation the loader is one of several, and each is started in its turn; what the
function returns for it is the same, but the global random generator has moved on by one.
""",
    )
)
register(
    Rule(
        code="T2L330",
        slug="precision-kept",
        severity="note",
        why="The Trainer's `precision` would cast or scale something else than the script does, so autocast and scaler stay in the step.",
        remedy="Nothing has to be done. To use `precision`, change what the message names; the numbers will differ then.",
        text="""\
Lightning runs the whole `training_step` and `validation_step` under autocast and does not remember the weights that it has cast. So
`precision` is the same only if every weight is used once in a step and if what counts is computed under autocast. "16-mixed" always scales the gradients, "bf16-mixed" never does, and on a processor "16-mixed" is bfloat16.
""",
    )
)
register(
    Rule(
        code="T2L340",
        slug="ddp-is-a-strategy",
        severity="note",
        why="The Trainer's strategy wraps the module in DistributedDataParallel, as the script did with its model.",
        remedy="Nothing to do; start it as before. `torch2lit verify SCRIPT --nproc 2` compares both processes of torchrun, `verify SCRIPT` those that it spawns.",
        text="""\
The wrapper is gone, `model.module` is `model`, and the Trainer has `strategy="ddp"` with as many devices and nodes as torchrun
says. The group that the script makes stays, because what stands before training asks it for its rank; the Trainer joins it. The
script's own sampler stays (`use_distributed_sampler=False`), with the same seed and order. Metrics that the script reduces over the
processes are reduced as before. All of it is bit-identical on every rank on the CPU with gloo. The same holds for a model that the
constructor of a class wraps and its methods train.

Processes that the script starts itself by `mp.spawn` go on like that: each makes a Trainer of the whole group, with as many devices as it has
processes. LOCAL_RANK and `LightningEnvironment` tell Lightning that they run already, whatever cluster the script runs in.

Within a SLURM job Lightning takes the processes for SLURM's, even when torchrun starts them: there, pass
`plugins=[TorchElasticEnvironment()]` to the Trainer.
""",
    )
)
register(
    Rule(
        code="T2L341",
        slug="data-parallel-kept",
        severity="note",
        why="The Trainer has no such strategy; the wrapper works in its one process as it did before.",
        remedy="Nothing to do. `--strategy ddp --devices N` is faster, but another training: remove the wrapper first.",
        text="""\
On one GPU or the CPU `nn.DataParallel` is the model itself. On several GPUs it splits each batch in one process; in `ddp` every process
takes batches of its own, so that the batch is N times as large, batch norm sees other batches, and random numbers are drawn otherwise.
""",
    )
)
register(
    Rule(
        code="T2L350",
        slug="plug-in-failed",
        severity="note",
        why="A feature of another package could not say what it would make of this training, so nothing was asked of it.",
        remedy="Nothing has to be done: the conversion is right without it. Tell the package's author what the message says.",
        text="""\
Packages may bring features of their own by the entry-point group `torch2lit.codemods`. A fault of theirs stops no conversion. `torch2lit.testing` helps to find it.
""",
    )
)
register(
    Rule(
        code="T2L360",
        slug="checkpoints-by-lightning",
        severity="note",
        why="`--checkpoints lightning` was asked for: ModelCheckpoint saves after the same epochs, the same weights, in a file of Lightning's.",
        remedy="Nothing to do where only this script reads the file. Other programs find the weights under `state_dict`; `load_from_checkpoint` and `fit(ckpt_path=...)` take the file as it is.",
        text="""\
The file ends in `.ckpt` and holds a dictionary: `state_dict` with the module's weights, each behind the name of the attribute that holds the model (`model.fc.weight`), `epoch` (from 0),
`optimizer_states`, `lr_schedulers` and what callbacks remember. The metric is logged in double, so that the best epoch is decided by the script's own number. The callback saves the first
epoch always, also one whose metric is no number. `torch2lit verify` compares the weights in both files, tensor by tensor.
""",
    )
)
register(
    Rule(
        code="T2L361",
        slug="checkpoint-kept",
        severity="note",
        why="`--checkpoints lightning` was asked for, and ModelCheckpoint would save something else, or at another moment, than this line does.",
        remedy="Nothing has to be done: the script saves as it did. The message says what keeps it.",
        text="""\
ModelCheckpoint saves at the end of an epoch, when the Trainer has counted an optimizer step. It takes `<` and `>`, but an equal value is not better to it and it knows no least difference;
it counts every k epochs as `(epoch + 1) % k == 0` does. What holds more than a checkpoint, or may be read by another line of the script, stays as well.
""",
    )
)
register(
    Rule(
        code="T2L362",
        slug="points-by-lightning",
        severity="note",
        why="`--logger` was asked for: a logger of Lightning's writes what the script wrote itself, the same names, steps and values.",
        remedy="Nothing to do. The message says where the files are.",
        text="""\
Scalars go through `self.logger.log_metrics({tag: value}, step=step)`, everything else through `self.logger.experiment`, which is the SummaryWriter that the logger has made. `self.log` with
`logger=False` beside them is for callbacks: to the logger it would put the same numbers at steps of the Trainer's, and a tag `epoch` beside them. The Trainer closes the writer when `fit` ends.
A writer of tensorboardX's writes `_` for most signs of a tag, and has formats of its own for what is no scalar: its points are the logger's where it writes plain scalars under plain tags only.
wandb and mlflow: the script opens its run as it did, and the logger is handed that run. `WandbLogger` gets no step, because with one it adds a column `trainer/global_step` to each row; rows
that the script gives a step go through `self.logger.experiment.log`. Hyper-parameters of the module are not sent to the run (`save_hyperparameters(..., logger=False)`), where they might be others than the script's.
""",
    )
)
register(
    Rule(
        code="T2L363",
        slug="writer-kept",
        severity="note",
        why="`--logger` was asked for, and the script's own writer is used in a way that a logger would not write the same.",
        remedy="Nothing has to be done: the script writes as it did. The message says what keeps it.",
        text="""\
All uses of a writer change or none does: half of the points would be in another file. A writer changes when it is made once, above the training, and every use is a call of one of its `add_` methods.
A run of wandb or mlflow changes hands when it is open all through the training: nothing in the training opens or ends one.
""",
    )
)
register(
    Rule(
        code="T2L364",
        slug="numbers-to-a-logger",
        severity="note",
        why="`--logger` was asked for: the numbers that the script reports are written by a logger of Lightning's as well.",
        remedy="Nothing to do. `log_every_n_steps` of the Trainer says how often numbers of single steps are written.",
        text="""\
The module logs each number where the script reports it (prints it, keeps it in a history, decides by it); the Trainer's logger writes them to a folder of its own for each run. What the script prints and writes itself stays.
""",
    )
)
register(
    Rule(
        code="T2L370",
        slug="machinery-not-by-fabric",
        severity="note",
        why="Checkpoints, loggers and callbacks of Lightning's were asked for, and this training keeps its own control flow, by Fabric.",
        remedy="Nothing has to be done: the script saves and writes as it did. What keeps the loop from a Trainer is told by T2L310; once that is gone, the options hold.",
        text="""\
ModelCheckpoint, EarlyStopping and the loggers of `lightning.pytorch` are called by a Trainer. Fabric has none, so `--checkpoints` and `--logger` (and `--level native`, which asks for both) change nothing there.
""",
    )
)
register(
    Rule(
        code="T2L260",
        slug="resumed-by-lightning",
        severity="review",
        why="`--checkpoints lightning` was asked for: the Trainer goes on from Lightning's checkpoint, where the script loaded a file of its own.",
        remedy="Give the option a `.ckpt` file. A file that the raw script saved can still be continued by the raw script.",
        text="""\
The resumed run takes the very steps of the uninterrupted one, which the raw script's does not: random states, the best value so far and the schedule come back with the checkpoint. `torch2lit verify --resume-at EPOCH` shows it.
A `.pth` file that the raw script has saved is no checkpoint of Lightning's, and the Trainer says so (KeyError `pytorch-lightning_version`).
""",
    )
)
register(
    Rule(
        code="T2L372",
        slug="resume-kept",
        severity="note",
        why="`--checkpoints lightning` was asked for, and a training that goes on from Lightning's checkpoint would not be the uninterrupted one, or the script does more than loading.",
        remedy="Nothing has to be done: the script loads its own files as it did. The message says what keeps it.",
        text="""\
A checkpoint holds the weights, the optimizer, the schedule, what callbacks remember and the epoch; random states come with it, and numbers of the loop beside. A block that does more than load these stays, as does a training with random
generators or values of its own that live on from epoch to epoch.
""",
    )
)
register(
    Rule(
        code="T2L373",
        slug="checkpoints-by-callback",
        severity="note",
        why="`--checkpoints callback` was asked for, or `--level native` where a file of Lightning's would not do: ModelCheckpoint decides when the script's own file is saved.",
        remedy="Nothing to do: the file is the same, byte for byte, under the same name.",
        text="""\
A subclass of ModelCheckpoint has the module write what the script wrote, where ModelCheckpoint would save a checkpoint: after the same epochs, with the same weights. It overrides `_save_checkpoint`, a method that Lightning does not
promise to keep. Where Lightning does not count the script's steps, it overrides `_should_skip_saving_checkpoint` as well. With `--level native` that is done where the script reads its file again, keeps more in it than a checkpoint holds,
or has a function save that does more; the finding says which. Nothing that follows in the epoch changes what is saved, or needs the file before the epoch is over. The callback saves the first best epoch always, also one whose metric is no number. Such a file is the script's: `fit(ckpt_path=...)` does not take it.
""",
    )
)
register(
    Rule(
        code="T2L374",
        slug="workers-started-early",
        severity="note",
        why="`--level native` was asked for: Lightning starts the loader's workers before `on_train_epoch_start` of the first epoch.",
        remedy="Nothing to do. Without `--level native` the loader starts as late as in the script, by a small wrapper around it.",
        text="""\
A script that takes the time until its first batch is there measures the start of the worker processes, too. In the first epoch Lightning has started them by then, so the first time that is told is shorter.
The batches, their order and the training are the same.
""",
    )
)
register(
    Rule(
        code="T2L390",
        slug="average-by-lightning",
        severity="note",
        why="`--callbacks` (or `--level native`) was asked for: a callback of Lightning's keeps the average of the weights that the script kept.",
        remedy="Nothing to do. When `fit` is over the module holds the average, and no longer the last weights of the training.",
        text="""\
`EMAWeightAveraging` and `WeightAveraging` average by the same formula, after the same steps: the training is the same, and so is every number of the validation. A checkpoint of the Trainer holds the average
under `state_dict` and the weights of the training under `current_model_state`.
""",
    )
)
register(
    Rule(
        code="T2L391",
        slug="average-kept",
        severity="note",
        why="`--callbacks` (or `--level native`) was asked for, and Lightning's callback would not keep the same average, or something would see other weights by it.",
        remedy="Nothing has to be done: the script averages as it did. The message says what keeps it.",
        text="""\
The callback averages after every optimizer step. It has the average in the module while the Trainer validates, and leaves it there when the training is over. So an average that is fed at other moments,
that is saved in an epoch, or beside which the model itself is evaluated or used behind the training, stays the script's own.
""",
    )
)
register(
    Rule(
        code="T2L392",
        slug="sum-by-lightning",
        severity="note",
        why="`--metrics native` (or `--level native`) was asked for: `self.log`, or a metric object, adds up what the script added up over the batches of an epoch.",
        remedy="Nothing to do. `self.trainer.callback_metrics` has the number when the epoch, or its validation, is over; a metric object has it at any time.",
        text="""\
The step logs a number of double precision with `on_epoch=True`. Lightning adds up the same numbers in the same order as the script did, and divides by the same weights: on a CPU the number is the same to the last bit,
and so is all that is decided by it. On a GPU no batch waits for the number to come back any more. A number of which the script tells the sum is logged with `reduce_fx="sum"`.
What is told while the batches run, or starts again in between, is kept by a `SumMetric` or `MeanMetric` of torchmetrics in double: `update` adds the same numbers in the same order, `reset` starts again, and `compute` tells the
number as it is then. In a run of several processes such an object knows the number of all of them.
""",
    )
)
register(
    Rule(
        code="T2L393",
        slug="sum-kept",
        severity="note",
        why="`--metrics native` (or `--level native`) was asked for, and Lightning would not have the same number where the script tells it.",
        remedy="Nothing has to be done: the script adds it up as it did. The message says what keeps it.",
        text="""\
Lightning tells what it has added up when an epoch, or its validation, is over, and a metric object tells it at any time. What stays the script's own is what may be more than a number of Python's, is named outside of the epoch, or is
handled by a statement that does more than to start it, to add to it and to read it.
""",
    )
)
register(
    Rule(
        code="T2L396",
        slug="command-line-by-lightning",
        severity="note",
        why="`--lightning-cli` was asked for: a LightningCLI has the script's own flags, and makes the module and the Trainer of them.",
        remedy="Install `jsonargparse[signatures]`. The script is started as before. `python train.py --print_config > defaults.yaml` writes a YAML of all defaults, which `python train.py --config defaults.yaml` reads.",
        text="""\
The same command line gives the same values and the same training: the flags stand in `add_arguments_to_parser` as they did in the script, and `link_arguments` leads each to what it is for. The module gets typed
hyper-parameters and makes its network of them in `configure_model`, which is called where the script made it, so that random numbers are drawn in the script's order. Nothing is seeded
(`seed_everything_default=False`) and no `config.yaml` is written (`save_config_callback=None`). What is otherwise: the text of `--help` and of errors, `nan` and `inf` are no values of a flag any more, and a flag that
is cut short may be that of another one now, which is an error.
""",
    )
)
register(
    Rule(
        code="T2L397",
        slug="command-line-kept",
        severity="note",
        why="`--lightning-cli` was asked for, and a LightningCLI might read something else from the same command line, or make the module of something else.",
        remedy="Nothing has to be done: the script reads its command line as it did. The message says what keeps it.",
        text="""\
A LightningCLI reads the flags when one `argparse` parser has all of them written out with plain types and defaults, where the module, its network and the Trainer are made, or beside the one call of the function that makes them of these flags; when the network is made of flags and of
nothing else that the script works out; and when nothing gives a flag another value. Flags named config, model, data and trainer are a LightningCLI's own.
""",
    )
)
register(
    Rule(
        code="T2L398",
        slug="switches-added",
        severity="note",
        why="`--switches` was asked for: the script's own parser has flags for its Trainer besides.",
        remedy="Nothing to do: without such a flag the Trainer is told what it takes for granted. What prints or saves all flags shows these as well.",
        text="""\
`fast-dev-run` runs one batch of everything, `profile` tells at the end what took how long, `barebones` leaves out all but the training, `deterministic` and `benchmark` are about the algorithms that a GPU takes: whether they
change what is trained there is not for a processor to prove. The script's own lines on cuDNN stay, and hold where the flag is not given. A script that loads the best weights behind its training finds none after `fast-dev-run`
where Lightning saves them.
""",
    )
)
register(
    Rule(
        code="T2L399",
        slug="switch-left-out",
        severity="note",
        why="`--switches` was asked for, and the script has no one parser for it whose values the Trainer's call can read, or the Trainer would not take it.",
        remedy="Nothing has to be done. The message says what is in the way; the Trainer's argument can be written by hand.",
        text="""\
A switch is added where one parser of `argparse` reads the flags once, into a variable that is known where the one Trainer is made, or handed there by every call.
""",
    )
)
register(
    Rule(
        code="T2L380",
        slug="data-in-a-module",
        severity="note",
        why="`--datamodule` was asked for: the loaders of the training, and the data that is made for them alone, are a LightningDataModule's.",
        remedy="Nothing to do. What other statements read, or stands between them, stays where it was and is handed to the module.",
        text="""\
`data.setup("fit")` stands where the script made its data, so that random numbers are drawn in the script's order; when the Trainer calls `setup` again, it does nothing. To make a DataLoader draws no random
number: the loaders are made in `train_dataloader` and `val_dataloader`, with every argument by its name, as Lightning needs it to make them anew for several processes and for `predict`.
""",
    )
)
register(
    Rule(
        code="T2L381",
        slug="data-kept",
        severity="note",
        why="`--datamodule` was asked for, and the loaders cannot be made later, or elsewhere, without a doubt that they are the same.",
        remedy="Nothing has to be done: the script makes its loaders as it did. The message says what keeps them.",
        text="""\
A loader moves when it is a DataLoader that is made once, above the training, that nothing else reads, and whose arguments are names and attributes that keep their values.
""",
    )
)
register(
    Rule(
        code="T2L394",
        slug="stopping-kept",
        severity="note",
        why="`--callbacks lightning` (or `--level native`) was asked for, and `EarlyStopping` would not surely stop the training after the same epoch.",
        remedy="Nothing has to be done: the script counts as it did, and the Trainer stops when it says so. The message says what keeps it.",
        text="""\
`EarlyStopping` counts the epochs, or validations, without a strictly better value of one number, and stops behind the epoch. A counter that starts again for an equal value, that something else sets, or behind which the epoch goes on,
is left to the script, which sets `trainer.should_stop`.
""",
    )
)
