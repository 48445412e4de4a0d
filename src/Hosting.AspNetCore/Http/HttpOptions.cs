namespace KafkaEventSourcing.Hosting.Http;

/// <summary>How the HTTP interface listens.</summary>
public sealed record HttpOptions
{
    /// <summary>The address to listen on. Default 127.0.0.1.</summary>
    public string Host { get; init; } = "127.0.0.1";

    /// <summary>The port; 0 takes a free one. Default 8080.</summary>
    public int Port { get; init; } = 8080;

    /// <inheritdoc cref="KafkaEventSourcingOptions.MaxBodyBytes"/>
    public long MaxBodyBytes { get; init; } = 1024 * 1024;

    /// <inheritdoc cref="KafkaEventSourcingOptions.MaxBodyBytesInFlight"/>
    public long MaxBodyBytesInFlight { get; init; } = NodeMemory.BodyBytes;

    /// <inheritdoc cref="KafkaEventSourcingOptions.TokenTimeout"/>
    public TimeSpan TokenTimeout { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>These, with what <paramref name="options"/> say of requests.</summary>
    internal HttpOptions With(KafkaEventSourcingOptions options) =>
        this with
        {
            MaxBodyBytes = options.MaxBodyBytes,
            MaxBodyBytesInFlight = options.MaxBodyBytesInFlight,
            TokenTimeout = options.TokenTimeout,
        };

    /// <summary>Checks the values.</summary>
    /// <exception cref="InvalidInputException">One is out of range; the message names it.</exception>
    public void Validate()
    {
        if (Port is < 0 or > 65535)
            throw new InvalidInputException("--http-port", $"--http-port is {Port}; ports are from 0 to 65535, and 0 takes a free one.");
        if (string.IsNullOrWhiteSpace(Host) || !System.Net.IPAddress.TryParse(Host, out _))
            throw new InvalidInputException("--http-host",
                $"--http-host is '{Host}'; it must be an IP address such as 127.0.0.1 or 0.0.0.0.");
        if (MaxBodyBytesInFlight < 1)
            throw new InvalidInputException(nameof(MaxBodyBytesInFlight),
                $"{nameof(MaxBodyBytesInFlight)} is {MaxBodyBytesInFlight}; it must be positive.");
        if (MaxBodyBytes < 1)
            throw new InvalidInputException(nameof(MaxBodyBytes), $"{nameof(MaxBodyBytes)} is {MaxBodyBytes}; it must be positive.");
    }
}
