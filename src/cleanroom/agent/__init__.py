"""The daemon's side of the guest agent's protocol. Pure; every frame is hostile input."""
