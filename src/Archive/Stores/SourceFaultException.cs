namespace KafkaEventSourcing.Archive;

/// <summary>What was to be written could not be read: it is not the place's fault, and trying again does not help.</summary>
internal sealed class SourceFaultException(Exception fault) : Exception(fault.Message, fault);
