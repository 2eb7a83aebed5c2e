"""Every decision of the gateway: (compiled policy, question) -> Allow | Deny, without any I/O."""
