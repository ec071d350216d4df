from pydantic import BaseModel, ConfigDict


class StrictModel(BaseModel):
    """What a request body derives from: unknown fields are refused, not ignored."""

    model_config = ConfigDict(extra="forbid", frozen=True)
