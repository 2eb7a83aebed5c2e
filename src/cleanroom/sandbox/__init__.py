"""What a sandbox is made of, as data: spec, environment, root view, lifecycles. No I/O."""
