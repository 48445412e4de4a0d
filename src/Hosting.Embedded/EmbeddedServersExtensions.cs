namespace KafkaEventSourcing.Hosting.Embedded;

/// <summary>Puts the embedded servers at an application's disposal.</summary>
public static class EmbeddedServersExtensions
{
    /// <summary>Servers that no option and no variable names are started in the application's own process.</summary>
    public static EventSourcedApplication WithEmbeddedServers(this EventSourcedApplication application)
    {
        ArgumentNullException.ThrowIfNull(application);
        return application.WithEmbeddedServers(new EmbeddedServers());
    }

    /// <summary>Servers that the options do not name are started in this process, on free ports.</summary>
    public static KafkaEventSourcingBuilder UseEmbeddedServers(this KafkaEventSourcingBuilder builder)
    {
        ArgumentNullException.ThrowIfNull(builder);
        return builder.UseEmbeddedServers(new EmbeddedServers());
    }
}
