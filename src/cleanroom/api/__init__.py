"""The control API as data: endpoints, messages, problems, and the OpenAPI document of them."""
