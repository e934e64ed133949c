"""How processes talk: the IPCAssistant, the messages and shared arrays."""
