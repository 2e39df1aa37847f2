"""The support desk as a crew: nothing in here knows of Swarmloom."""

from __future__ import annotations

from typing import Any

from crewai import Agent, Crew, Process, Task
from crewai.project import CrewBase, agent, crew, task


@CrewBase
class SupportDesk:
    """Five colleagues and the five tasks that one customer's mail makes.

    Parameters
    ----------
    llm : str or BaseLLM
        The model behind every agent.
    """

    agents_config = "config/agents.yaml"
    tasks_config = "config/tasks.yaml"

    def __init__(self, llm: Any) -> None:
        self.llm = llm

    @agent
    def triage_clerk(self) -> Agent:
        return self._agent("triage_clerk")

    @agent
    def billing_specialist(self) -> Agent:
        return self._agent("billing_specialist")

    @agent
    def line_technician(self) -> Agent:
        return self._agent("line_technician")

    @agent
    def logistics_clerk(self) -> Agent:
        return self._agent("logistics_clerk")

    @agent
    def desk_lead(self) -> Agent:
        return self._agent("desk_lead")

    @task
    def split_mail(self) -> Task:
        return Task(config=self.tasks_config["split_mail"])

    @task
    def settle_invoice(self) -> Task:
        return Task(config=self.tasks_config["settle_invoice"])

    @task
    def diagnose_line(self) -> Task:
        return Task(config=self.tasks_config["diagnose_line"])

    @task
    def trace_parcel(self) -> Task:
        return Task(config=self.tasks_config["trace_parcel"])

    @task
    def write_reply(self) -> Task:
        return Task(config=self.tasks_config["write_reply"])

    @crew
    def crew(self) -> Crew:
        return Crew(agents=self.agents, tasks=self.tasks, process=Process.sequential)

    def _agent(self, name: str) -> Agent:
        return Agent(config=self.agents_config[name], llm=self.llm)
