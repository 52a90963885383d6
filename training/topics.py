"""The fine topics, the broad topic that each belongs to, and their names in the training sets."""

from __future__ import annotations

from typing import Final

_BROAD: Final = {
    "biology": "anatomy college_biology high_school_biology medical_genetics virology",
    "business": "business_ethics management marketing",
    "chemistry": "college_chemistry high_school_chemistry",
    "computer science": "college_computer_science computer_security high_school_computer_science"
    " machine_learning",
    "economics": "econometrics high_school_macroeconomics high_school_microeconomics",
    "engineering": "electrical_engineering",
    "health": "clinical_knowledge college_medicine human_aging human_sexuality nutrition"
    " professional_medicine",
    "history": "high_school_european_history high_school_us_history high_school_world_history"
    " prehistory",
    "law": "international_law jurisprudence professional_law",
    "math": "abstract_algebra college_mathematics elementary_mathematics high_school_mathematics"
    " high_school_statistics word_problem translated_word_problem competition_math",
    "other": "global_facts miscellaneous professional_accounting public_relations security_studies"
    " high_school_geography high_school_government_and_politics us_foreign_policy sociology",
    "philosophy": "formal_logic logical_fallacies moral_disputes moral_scenarios philosophy"
    " world_religions",
    "physics": "astronomy college_physics conceptual_physics high_school_physics",
    "psychology": "high_school_psychology professional_psychology",
    "science": "school_science elementary_science graduate_science",
    "commonsense": "everyday_commonsense",
    "trivia": "web_question pub_quiz",
    "logic": "logic_grid",
    "coding": "function_completion programming algorithm_puzzle software_issue web_feature"
    " code_request",
    "data": "database_question data_analysis",
    "writing": "keyword_sentence creative_writing",
    "summary": "summary_request",
    "general": "assistant_command reading_task open_request",
}

EXAM: Final = "exam"
"""MMLU-Pro's questions from other places than MMLU: `exam_<category>`."""

_MMLU_PRO = (
    *("biology", "business", "chemistry", "computer science", "economics", "engineering"),
    *("health", "history", "law", "math", "other", "philosophy", "physics", "psychology"),
)

TASKS: Final = {
    "agentverse-logicgrid": "logic_grid",
    "agentverse-mgsm": "translated_word_problem",
    "arc_challenge": "school_science",
    "commongen": "keyword_sentence",
    "commonsense_qa": "everyday_commonsense",
    "gpqa": "graduate_science",
    "gsm8k": "word_problem",
    "human_eval": "function_completion",
    "math": "competition_math",
    "mbpp": "programming",
    "natural_qa": "web_question",
    "openbook_qa": "elementary_science",
    "trivia_qa": "pub_quiz",
}
"""LLMRouter's tasks; its `mmlu` has questions of all subjects and says not which."""


def exam(category: str) -> str:
    """The fine topic of a question that MMLU-Pro has from elsewhere than MMLU."""
    return f"{EXAM}_{category.replace(' ', '_')}"


def broad_topics() -> dict[str, str]:
    """Fine topic -> broad topic, in a fixed order."""
    found = {fine: broad for broad, names in _BROAD.items() for fine in names.split()}
    found |= {exam(category): category for category in _MMLU_PRO}
    return {fine: found[fine] for fine in sorted(found)}
