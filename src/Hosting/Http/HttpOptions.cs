namespace KafkaEventSourcing.Hosting.Http;

/// <summary>How the HTTP interface listens.</summary>
public sealed record HttpOptions
{
    /// <summary>The address to listen on. Default 127.0.0.1.</summary>
    public string Host { get; init; } = "127.0.0.1";

    /// <summary>The port; 0 takes a free one. Default 8080.</summary>
    public int Port { get; init; } = 8080;

    /// <summary>The largest request body, in bytes. Default 1 MiB; beyond it the answer is 413.</summary>
    public long MaxBodyBytes { get; init; } = 1024 * 1024;

    /// <summary>
    /// The most bytes that the bodies of all requests may have which are being answered; beyond it the answer is 503 with <c>Retry-After</c>, but for a single one. Default a sixty-fourth of the memory that the process may have, from 4 to 64 MiB.
    /// </summary>
    public long MaxBodyBytesInFlight { get; init; } = NodeMemory.BodyBytes;

    /// <summary>How long a read waits for its consistency token. Default 10 s.</summary>
    public TimeSpan TokenTimeout { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>Checks the values.</summary>
    /// <exception cref="InvalidInputException">One is out of range; the message names it.</exception>
    public void Validate()
    {
        if (Port is < 0 or > 65535)
            throw new InvalidInputException("--http-port", $"--http-port is {Port}; ports are from 0 to 65535, and 0 takes a free one.");
        if (string.IsNullOrWhiteSpace(Host) || !System.Net.IPAddress.TryParse(Host, out _))
            throw new InvalidInputException("--http-host", $"--http-host is '{Host}'; it must be an IP address such as 127.0.0.1 or 0.0.0.0.");
        if (MaxBodyBytesInFlight < 1)
            throw new InvalidInputException(nameof(MaxBodyBytesInFlight), $"{nameof(MaxBodyBytesInFlight)} is {MaxBodyBytesInFlight}; it must be positive.");
        if (MaxBodyBytes < 1)
            throw new InvalidInputException(nameof(MaxBodyBytes), $"{nameof(MaxBodyBytes)} is {MaxBodyBytes}; it must be positive.");
    }
}
