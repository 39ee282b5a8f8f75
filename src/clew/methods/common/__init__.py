"""The toolkit of methods: look here before you write a loop that another method may have."""
