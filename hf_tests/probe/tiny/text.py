"""A short text of our own that tiny tokenizers are trained on."""

SENTENCES = (
    "Paris is the capital of France, and Rome is the capital of Italy.",
    "The cat sat on the mat and watched the red circle on the white wall.",
    "A photo of a dog, a photo of a cat, a drawing of a blue square.",
    "Every night the machine tests each model on every device that it has.",
    "What is in this picture? There is a green field under a yellow sun.",
    "Translate English to German: The house is small and the garden is wide.",
    "Once upon a time, a small robot learned to read, to count and to sing.",
    "She has 12 apples, 34 pears and 567 plums; he has 89 nuts and 0 figs!",
    "When the quick brown fox jumps over the lazy dog, nobody is surprised.",
    "USER: Why do zebras, foxes and quails visit? ASSISTANT: Just to say hello.",
    "Good models load, run, and give the right answer again and again.",
    "It rains in spring; it snows in winter - that is how the year goes by.",
)

CHARACTERS = (
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.,:;!?'-()<>/[]{}\"#%&*+=@"
)
