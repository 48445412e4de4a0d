using KafkaEventSourcing.EventLog;

namespace KafkaEventSourcing.Hosting;

/// <summary>
/// Where the master key is that wraps the keys of subjects: the section <c>PersonalData</c> of <see cref="KafkaEventSourcingOptions"/>.
/// Only an application with fields that are tagged as personal needs one. An <see cref="IMasterKeys"/> among the services of the host wins
/// over both.
/// </summary>
public sealed class PersonalDataOptions
{
    /// <summary>The file with the master keys, an id, a colon and 32 bytes in base64 a line; the first wraps. Default: none.</summary>
    public string? MasterKeyFile { get; set; }

    /// <summary>
    /// The same text itself, as for a variable of the environment, <c>KafkaEventSourcing__PersonalData__MasterKey</c>. A secret. Default:
    /// none.
    /// </summary>
    public string? MasterKey { get; set; }

    /// <summary>The master keys; null: none are named.</summary>
    /// <exception cref="InvalidInputException">Both are named, or one is not as it must be.</exception>
    public IMasterKeys? Load() => (MasterKeyFile, MasterKey) switch
    {
        (null, null) => null,
        (not null, not null) => throw new InvalidInputException(nameof(MasterKey),
            $"{nameof(MasterKey)} and {nameof(MasterKeyFile)} are both given; leave one out."),
        ({ } file, null) => MasterKeyRing.Load(file),
        (null, { } text) => MasterKeyRing.Parse(text, nameof(MasterKey)),
    };
}
