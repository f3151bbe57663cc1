"""Jobs and terminals: commands that outlive the call that started them."""
