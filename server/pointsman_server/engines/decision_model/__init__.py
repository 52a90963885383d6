"""Engine `decision_model`: typed questions about a prompt in, probabilities out.

Two wire formats: TypeSafe's System One (`systemone`) and OpenAI's Decisions (`decisions`).
"""
