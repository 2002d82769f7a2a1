"""What to do about a failed check: a sentence for each error type, with the next command to try.

Both sides of the process boundary use it: the process for what was raised in it, the runner for
what became of the process.
"""

from __future__ import annotations

import shlex

from hf_tests import dependencies
from hf_tests.job import Job

HINTS = {
    "missing_dependency": "{model} needs a library that cannot be imported here. python runner.py "
    "doctor shows what fits; then: {again}",
    "missing_dependency:unmet": "{unmet} Then: {again}",
    "cuda_error": "Have the failing call named: CUDA_LAUNCH_BLOCKING=1 {again}",
    "cuda_error:device_assert": "A kernel refused what {model} gave it, most often an index beyond "
    "the end of a table; the CPU names it: {on_cpu}",
    "cuda_error:illegal_access": "A kernel of {model} touched memory that is not its own. Find it: "
    "CUDA_LAUNCH_BLOCKING=1 {again}",
    "cuda_error:no_driver": "The GPU's driver cannot be used here: nvidia-smi shows what there is. "
    "{model} without it: {on_cpu}",
    "cuda_error:no_kernel": "This torch was not built for this GPU: python -m torch.utils."
    "collect_env shows both. {model} without it: {on_cpu}",
    "cuda_error:no_device": "There is no such GPU: python runner.py --list-devices. {model} "
    "without it: {on_cpu}",
    "out_of_memory": "Free some memory, or let {model} have more: {again} --memory-limit MIB",
    "out_of_memory:cuda": "nvidia-smi shows who else uses the GPU. {model} in half the size: "
    "{again} --dtype float16",
    "out_of_memory:cuda tiny": "A tiny checkpoint of {model} fits into any GPU that nobody else "
    "has filled: nvidia-smi shows who; then: {again}",
    "timeout": "Give {model} more time: {again} --timeout {longer:.0f}",
    "crash": "The log's end shows where. {model} again: {again}",
    "crash:killed": "If nobody killed it, the kernel did for want of memory (dmesg tells). "
    "{model} again, in less: {again} --memory-limit MIB",
    "model_not_found": "Check the id {model} and its revision in the registry; a private one needs "
    "hf auth login. Then: {again}",
    "model_not_found:revision": "The repository {model} has no such revision: correct it in the "
    "registry, then: {again}",
    "access_denied": "The Hub does not give {model} to this account: hf auth whoami, hf auth "
    "login; then: {again}",
    "access_denied:gated": "Accept the licence on https://huggingface.co/{repository} and log in: "
    "hf auth login; then: {again}",
    "access_denied:disabled": "The Hub has disabled {model}; leave it out of the registry, or test "
    "a copy: python runner.py --model PATH",
    "access_denied:folder": "This account may not use that folder: correct its rights, or give "
    "another: {again} --cache-dir DIR",
    "network": "The Hub could not be reached for {model}: python runner.py doctor. Meanwhile "
    "without it: {again} --weights tiny",
    "network:rate_limit": "The Hub asks to wait. Logged in one may ask it more: hf auth login; "
    "then: {again}",
    "network:offline": "This job may not download. Do it first: {again} --weights hub",
    "corrupt_checkpoint": "Save {model} again with save_pretrained and compare its files; then: "
    "{again}",
    "corrupt_checkpoint:tokenizer": "The tokenizer.json of {model} is damaged, or of a newer "
    "version of tokenizers than there is here: python runner.py doctor shows that. Then: {again}",
    "corrupt_checkpoint hub": "Fetch it anew: hf download {repository} --force-download; "
    "then: {again}",
    "corrupt_checkpoint tiny": "The tiny checkpoint of {model} is not whole or its entry in the "
    "registry is wrong. Built anew: {again} --cache-dir DIR",
    "remote_code_required": "{model} needs code of its own, which is never run unasked. Once it "
    'was read, say "own_code": true in its entry of the registry; then: '
    "{again} --trust-remote-code {name}",
    "remote_code_required:elsewhere": "Copy that code into the folder of {model}, where it can be "
    "read, and name it there in auto_map; then: {again}",
    "unsupported": "The installed libraries cannot do this with {model}; python runner.py doctor "
    "shows their versions. With others: {again}",
    "unsupported:dtype": "{model} cannot be computed in this dtype here: {again} --dtype float32",
    "conversion": "The exporter alone, to try another version or report it: optimum-cli export "
    "openvino -m {folder} DIR; then: {again}",
    "conversion tiny": "optimum-intel cannot convert the class of {model}, on weights of our own. "
    "With another version of it: {again} --weights tiny",
    "conversion:openvino.convert_model": "optimum-intel has no exporter for {model}, and "
    "openvino.convert_model cannot convert it: the traceback shows where. With another version of "
    "either: {again}",
    "conversion:compile": "{model} was converted, and OpenVINO could not compile it for this "
    "device. Elsewhere: {on_openvino}",
    "wrong_output": "{model} runs and is wrong. With the libraries of the last good run: {again}",
    "wrong_output tiny": "The class of {model} runs and is wrong, on weights of our own. With the "
    "libraries of the last good run: {again} --weights tiny",
    "wrong_output:not_finite": "{model} computes NaN or infinity: its weights are damaged, or "
    "beyond what this dtype holds. In float32 on the CPU: {on_cpu} --dtype float32",
    "disk_full": "Free some disk space, or use another disk: {again} --cache-dir DIR "
    "--results-dir DIR",
    "interrupted": "Finish the run: python runner.py --resume; {model} alone: {again}",
    "other": "The traceback shows where {model} failed. Again: {again} --verbose",
}
"""Hints by error type. ``type:case`` is for one cause of it or one path of conversion, `` tiny``,
`` hub`` or `` local`` behind it for such weights; the most special one that there is is taken."""


def hint(kind: str, job: Job, method: str | None = None, case: str = "") -> str:
    """What to do about an error of that type and case, naming the model and a command."""
    unmet = None
    if kind == "missing_dependency":
        unmet = dependencies.unmet(job.model.dependencies)
        case = "unmet" if unmet else case
    special = f"{kind}:{case}"
    names = (f"{special} {job.weights}", special, f"{kind} {job.weights}", kind)
    text = next(HINTS[name] for name in names if name in HINTS)
    again = f"{job.command} --method {method}" if method else job.command
    return text.format(
        model=job.model.id,
        repository=job.model.repository,
        name=shlex.quote(job.model.id),
        again=again,
        on_cpu=job.replace(device="cpu").command,
        on_openvino=job.replace(device="openvino").command,
        folder=shlex.quote(job.checkpoint or job.model.id),
        longer=2 * job.timeout_s,
        unmet=f"{unmet}.",
    )
